"""What is served from `SLUICE_POLICY`: a policy file, or a registry of policies."""

from dataclasses import dataclass
from pathlib import Path

from sluicegate.models.artifacts.deployment import DEPLOYMENT_FILE
from sluicegate.models.policy.compiled import CompiledPolicy
from sluicegate.models.policy.policy_file import files_of_policy, read_policy
from sluicegate.models.policy.registry import PolicyRegistry


@dataclass(frozen=True)
class ServedPolicies:
    """The policy in use and, in a trial, the one that decides a share of the events too, for the ledger only."""

    in_use: CompiledPolicy
    shadow: CompiledPolicy | None = None
    share: float = 0.0


def policies_from(path: Path | None) -> ServedPolicies:
    """The policies in `path`; without one, the thresholds of the model. Blocks: about a second for 100,000 terms.

    Raises:
        PolicyFileError: a file is missing or wrong.
    """
    if path is None:
        return ServedPolicies(CompiledPolicy())
    if path.is_dir():
        return _of_registry(PolicyRegistry(path))
    return ServedPolicies(CompiledPolicy(read_policy(path)))


def files_that_decide(path: Path) -> list[Path]:
    """The files whose change means another policy."""
    return [path / DEPLOYMENT_FILE] if path.is_dir() else files_of_policy(path)


def _of_registry(registry: PolicyRegistry) -> ServedPolicies:
    deployment = registry.deployment()
    in_use, candidate = CompiledPolicy(registry.read(deployment.versions[-1])), deployment.candidate
    if candidate is None:
        return ServedPolicies(in_use)
    return ServedPolicies(in_use, CompiledPolicy(registry.read(candidate.version)), candidate.share)
