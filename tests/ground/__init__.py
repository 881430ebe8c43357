"""The ground shakes: database, disks, file handles and task engine fail under a batch, and it is never wrong."""
