"""What `esl-agent doctor` looks at."""
