"""What columns and keys are called: subject, relation, attribute, and the field's other names for them."""

from collections.abc import Sequence

SUBJECT = ("subject", "head", "h", "sub", "sub_label", "s")
RELATION = ("relation", "predicate", "r", "rel", "relation_id", "predicate_id", "p")
ATTRIBUTE = ("attribute", "object", "tail", "t", "obj", "obj_label", "o")
FORMS = (
    "want `subject,<relation>,<relation>,...` (wide) or `subject,relation,attribute` (long); "
    "also called head/h, predicate/r, object/tail/t"
)


def long_order(header: Sequence[str]) -> list[int] | None:
    """Where subject, relation and attribute stand, if each does once and is called as such.

    Example:
        >>> long_order(["tail", "head", "predicate"]), long_order(["subject", "mother", "wife"])
        ([1, 2, 0], None)
    """
    names = [cell.casefold() for cell in header]
    places = [[i for i, name in enumerate(names) if name in role] for role in (SUBJECT, RELATION, ATTRIBUTE)]
    return [place for (place,) in places] if all(len(place) == 1 for place in places) else None


def half_long(header: Sequence[str]) -> bool:
    """Whether the further columns are called as those of the long form, without being it.

    Example:
        >>> half_long(["subject", "relation", "attribute", "source"]), half_long(["subject", "relation"])
        (True, True)
        >>> half_long(["subject", "relation", "age"])
        False
    """
    names = [cell.casefold() for cell in header[1:]]
    relation, attribute = (any(name in role for name in names) for role in (RELATION, ATTRIBUTE))
    return (relation and attribute) or (len(names) == 1 and (relation or attribute))
