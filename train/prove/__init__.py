"""What a model knows: exams, and the statistics of comparing two models on one."""
