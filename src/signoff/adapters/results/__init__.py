"""Result files of other tools, converted once into tables of evidence."""
