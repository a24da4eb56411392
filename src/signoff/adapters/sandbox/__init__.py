"""Foreign code in a child process: the feature functions of dossiers, and the models of a registry.

`child` starts the child process and exchanges messages with it; `child_main`, `confinement` and `models` run in it.
`columns` carries tables between the two. The parent judges the child's answers: foreign code cannot reach the checks.
"""
