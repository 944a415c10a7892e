"""What the models of a record's lines are made of: their base, and the types of their numbers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_FLOAT = 1.7976931348623157e308
SHORTEST, LONGEST = 1e-12, 1e6
"""Seconds: a picosecond, and eleven days."""
MAX_RATE = 1e30
"""Operations, bytes, and either of them per second."""
Finite = Annotated[float, Field(ge=-MAX_FLOAT, le=MAX_FLOAT)]
# JSON has no infinities and no NaN: records write them as text.
Number = Finite | Literal["inf", "-inf", "nan"]
Fraction = Annotated[float, Field(ge=0, le=MAX_FLOAT)] | Literal["inf", "nan"]
Seconds = Annotated[float, Field(ge=SHORTEST, le=LONGEST)]
# The time of a cold run is a difference of two times, so a single sample may be negative.
Sample = Annotated[float, Field(ge=-LONGEST, le=LONGEST)]
Rate = Annotated[float, Field(ge=1, le=MAX_RATE)]
Amount = Annotated[float, Field(ge=0, le=MAX_RATE)]
Integer = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Size = Annotated[int, Field(ge=0, lt=2**63)]


class Line(BaseModel):
    """Known keys are checked. Unknown keys are accepted, so that a record may say more than this program reads."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    def to_json(self) -> dict[str, Any]:
        """The original object, as JSON values."""
        return self.model_dump(exclude_unset=True, by_alias=True)
