package dir

// Failed gives the tests what an error of the file system becomes.
var Failed = (*Sink).failed
