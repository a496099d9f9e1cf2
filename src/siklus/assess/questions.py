"""What only people know: each question, and what may be answered. Nothing of it is guessed."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

ASK = "ask:"  # what a criterion's need begins with that a question meets
Reply: TypeAlias = Literal["no", "yes", "by hand", "automatic"]

YES_OR_NO: tuple[Reply, ...] = ("yes", "no")
# The ML Test Score's own scale: half for what is done by hand and written down, full for what runs by itself.
HOW: tuple[Reply, ...] = ("automatic", "by hand", "no")


class Question(Struct, frozen=True):
    """``about``: a few words; ``asks``: the question itself, which a person of the team can answer."""

    about: str
    asks: str
    replies: tuple[Reply, ...] = HOW


QUESTIONS: Mapping[str, Question] = {
    # Of data.
    "column-costs": Question(
        "what columns cost",
        "Is it looked at what each column costs (waiting, upkeep, money, dependence) beside what it gives?",
    ),
    "data-rules": Question(
        "rules for data",
        "Are the columns checked against what law, policy and agreements allow, whenever one is added?",
    ),
    "privacy": Question(
        "privacy",
        "Has someone in charge reviewed who may read the rows of source, snapshots and prediction log, and "
        "how a person's rows are taken out?",
    ),
    "new-columns": Question(
        "new columns",
        "Is it measured how long a new column takes from the idea to production, and is that quick enough?",
    ),
    # Of models.
    "review": Question(
        "reviews",
        "Does a second person review each change of the project file, contract and code before it is merged?",
    ),
    "metric-agreed": Question(
        "the metric's meaning",
        "Do those who use the answers agree that [train] metric stands for what they want, and is it "
        "compared with what came of it for them?",
    ),
    "inclusion": Question(
        "inclusion",
        "Is it tested whether the model serves groups of people differently?",
    ),
    # Of infrastructure and watching.
    "debugging": Question(
        "one example, step by step",
        "Can someone follow one logged prediction from its cells to the answer, and has that been practised?",
    ),
    "sources-watched": Question(
        "changes upstream",
        "Does the team hear of changes in the systems that its data comes from, before they take effect?",
    ),
    "training-speed": Question(
        "training time and memory",
        "Is it watched whether trainings become slower or take more memory, from version to version?",
    ),
    "pipeline-elsewhere": Question(
        "a pipeline elsewhere",
        "Did a pipeline of this project outside of this machine pass its tests, train, deploy and ask the "
        "service? Give the run's URL as the reason.",
        YES_OR_NO,
    ),
    "managed-compute": Question(
        "where trainings run",
        "Do trainings run on machines that are set up from files (image, lock, infrastructure as code), not "
        "on somebody's own?",
        YES_OR_NO,
    ),
    # Of people.
    "with-engineers": Question(
        "modellers and data engineers",
        "Do those who model and those who provide the data work on the same repeatable jobs?",
        YES_OR_NO,
    ),
    "with-developers": Question(
        "modellers and developers",
        "Do developers of the application work with them on inputs, outputs and how the model is called?",
        YES_OR_NO,
    ),
    "with-operations": Question(
        "who answers for it",
        "Is it settled who is called when the model fails, and do developers follow what it does?",
        YES_OR_NO,
    ),
    "application-released": Question(
        "the application",
        "Does the application that calls the model have tests of its own, and is it released by a pipeline?",
        YES_OR_NO,
    ),
}
