package inbound

import "os"

// SpillTo makes f the file that b writes to.
func (b *Buffer) SpillTo(f *os.File) { b.file = f }
