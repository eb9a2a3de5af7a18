package spool

// Folder returns the files of the operating system.
func Folder(state string) Files { return folder(state) }
