word = "cold"
