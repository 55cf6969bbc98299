"""One blueprint per noun. A view finds what it is about through `access`, calls one service, answers."""
