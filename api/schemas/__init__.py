"""What goes in and out: one module per noun. A name in `...Input` goes in, the others come out."""
