from siklus.project.sections import Project
def gitlab_drafts(settings: Project): return ()
