"""The cluster: manifests for Kubernetes, as a kustomize base with overlays."""
