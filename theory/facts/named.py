"""What subjects, relations and attributes are called: their names, else s0, r0, a0 and so on."""

from georecall.theory.tools.names import inert

Names = tuple[str, ...] | None


class Named:
    """Facts whose subjects, relations and attributes are numbered, and may have names."""

    __slots__ = ()
    subjects: Names
    relations: Names
    attributes: Names

    def subject_name(self, subject: int) -> str:
        """The name of a subject, given its number."""
        return self.subjects[subject] if self.subjects else f"s{subject}"

    def relation_name(self, relation: int) -> str:
        """The name of a relation, given its number."""
        return self.relations[relation] if self.relations else f"r{relation}"

    def attribute_name(self, attribute: int) -> str:
        """The name of an attribute, given its number."""
        return self.attributes[attribute] if self.attributes else f"a{attribute}"

    def question(self, subject: int, *relations: int) -> str:
        """A query in words, to be read: the last hop first, 'r1 of r0 of s5'."""
        names = [*map(self.relation_name, reversed(relations)), self.subject_name(subject)]
        return " of ".join(map(inert, names))
