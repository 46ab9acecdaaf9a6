"""The checks behind `doctor`: each looks at one thing, changes nothing, and knows the remedy."""
