"""From pairs to a dataset: copies, split, exams, decontamination, files."""
