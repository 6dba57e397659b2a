"""What leaves: the gate, exported forms, cards."""
