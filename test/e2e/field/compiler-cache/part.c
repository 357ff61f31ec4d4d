int part = 1;
