"""The untrusted side of an import: official files are pickles, and here they are read without executing anything.

Standard library only; run as `python -m benchmarks.pickles`, in a process of its own with limits on memory and time.
"""
