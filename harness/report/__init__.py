"""Tables and figures from the files of runs. Nothing here imports torch; what draws imports its libraries when it draws."""
