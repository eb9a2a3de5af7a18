package bridge

// Of the files that the process may have open, this many are for listeners, ledger,
// spool, admin address and logs. Of the rest each connection may need two: its socket,
// and a temporary file or a connection to a sink.
const reservedFiles = 64

// connections returns how many connections may be open at once: what is configured,
// or fewer when the process may not have so many files. Otherwise a crowd would take
// all of them, no sink could be reached, and those who are in could only be deferred.
func (b *Bridge) connections() int {
	wanted := b.config.Limits.Connections
	files, known := openFiles()
	if most := max(1, (files-reservedFiles)/2); known && wanted > most {
		b.log.Warn("fewer connections than configured, raise the limit of open files", "connections", most, "configured", wanted, "open_files", files)
		return most
	}
	return wanted
}
