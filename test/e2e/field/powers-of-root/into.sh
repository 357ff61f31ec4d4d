echo made >"$1"
