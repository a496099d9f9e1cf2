"""The three scales by name, in the order in which they are told."""

from collections.abc import Mapping

from siklus.assess.rubrics.google import GOOGLE
from siklus.assess.rubrics.microsoft import MICROSOFT
from siklus.assess.rubrics.ml_test_score import ML_TEST_SCORE
from siklus.assess.rubrics.rubric import Rubric, RubricName

RUBRICS: Mapping[RubricName, Rubric] = {rubric.name: rubric for rubric in (GOOGLE, MICROSOFT, ML_TEST_SCORE)}
