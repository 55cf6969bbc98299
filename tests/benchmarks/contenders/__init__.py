"""Who is given the same work, one mail at a time: ours, three that somebody would use instead, the floor.

Each has 48 threads in four processes, as the fleet that `make run` starts.
"""
