"""What is wrong with a scene or a data root: one line each, with what to do."""

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. `wasted`: a training would fail on it, or learn nothing from it."""

    key: str  # the same for all scenes that have it; the report counts by it
    found: str  # what was got and what was expected, of one scene
    fix: str
    wasted: bool = True


@dataclass
class Findings:
    """Measures by name, and problems, of a scene or of the data root."""

    measures: dict = field(default_factory=dict)
    problems: list = field(default_factory=list)

    def add(self, key, found, fix, wasted=True):
        self.problems.append(Problem(key, found, fix, wasted))

    def has(self, *keys):
        return any(problem.key in keys for problem in self.problems)

    def drop(self, *keys):
        """Forget problems that another one explains."""
        self.problems = [problem for problem in self.problems if problem.key not in keys]

    def record(self):
        """As JSON holds it."""
        return {**self.measures, "problems": [asdict(problem) for problem in self.problems]}
