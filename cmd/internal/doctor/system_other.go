//go:build !linux

package doctor

import "io/fs"

func volumeOf(string) (volume, bool) { return volume{}, false }

func synchronized() (synchronized, known bool) { return false, false }

func ownerOf(fs.FileInfo) (uid int, ok bool) { return 0, false }

func fileLimit() (n int64, known bool) { return 0, false }
