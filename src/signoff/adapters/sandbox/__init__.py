"""Foreign code in a child process: the feature functions of dossiers, and the models of a registry.

`confinement` and `inside` run in the child, `child` starts it and speaks with it, `columns` carries tables between the
two. What a child answers is judged outside of it: the code under test never runs beside the test.
"""
