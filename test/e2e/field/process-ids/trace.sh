exec sh -c "echo x >log/script.\$\$"
