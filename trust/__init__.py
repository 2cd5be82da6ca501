"""What the product promises, checked.

One module a promise: it says what is promised, tries it, and returns a figure and the faults that it found.
``make trust`` runs all of them at full size and prints a table; ``make test`` runs each in its short form, and once
more with a deliberate break, which has to turn it red: a check that cannot fail proves nothing.
"""
