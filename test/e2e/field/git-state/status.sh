git status --porcelain --branch
git stash create >/dev/null && echo "stash: $(git rev-parse --short HEAD)"
