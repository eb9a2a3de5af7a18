package inbound

import "os"

// SpillTo makes f the file that b writes to.
func (b *Buffer) SpillTo(f *os.File) { b.file = f }

// SetFree makes f tell the free space.
func (s *Store) SetFree(f func(string) (int64, error)) { s.disk.free = f }
