"""One criterion, registered by the entry point in pyproject.toml."""

from dataclasses import dataclass

from criteria import Context, Scorer, Scores


@dataclass(frozen=True)
class Skips(Scorer):
    """Skip connections of a cell, on all edges or on live ones."""

    live: bool = False

    def score(self, ctx: Context) -> Scores:
        """The number of skips of every architecture."""
        codes = ctx.space.live_codes if self.live else ctx.space.codes
        return Scores((codes == ctx.space.op("skip_connect")).sum(axis=1), "skip connections")
