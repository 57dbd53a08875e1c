"""The questions that a report answers: where its tables and figures stand on the page."""

QUESTIONS = {
    "method": "Which method?",
    "backbone": "Which backbone?",
    "reward": "Is the reward right?",
    "cost": "What did it cost?",
    "run": "How was it run?",
}
