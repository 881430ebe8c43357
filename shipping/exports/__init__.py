"""What comes out of a job, at any moment of its life: labels to print, and the results of its rows."""
