"""A file a family of records, found by its name.

FAMILY            its name in the table of results
recognises(case)  whether a record is of this family, from the tensors and values it holds
check(case, cases)  compares every recorded number with `case.compare`; `cases` holds the records of the same folder
                  by name, for those that share weights
"""
