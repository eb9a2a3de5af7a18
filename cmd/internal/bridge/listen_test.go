package bridge

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestASocketLetsItsGroupInAndGoesWithItsListener(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := listenAt("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Lstat(path)
	if err != nil || file.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", file, err)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Error("the file is left:", err)
	}
	ln.Close() // again, as a Server does
}

func TestASocketOfACrashedProcessIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	crashed, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	crashed.SetUnlinkOnClose(false)
	crashed.Close()
	ln, err := listenAt("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
}

func TestWhatStandsInTheWayOfASocketIsNamedAndLeft(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("unix", filepath.Join(dir, "taken"))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("mail"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"taken": "another program listens", "file": "is no socket", "no-folder/s": "make the folder first",
		strings.Repeat("x", 120): "invalid argument",
	} {
		ln, err := listenAt("unix:" + filepath.Join(dir, name))
		if err == nil {
			ln.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "file")); string(text) != "mail" {
		t.Error("the file is gone:", err)
	}
	nc, err := net.Dial("unix", filepath.Join(dir, "taken"))
	if err != nil {
		t.Fatal("the other program's socket is gone:", err)
	}
	nc.Close()
}

func TestAListenerLeavesTheSocketThatReplacedItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := listenAt("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".old"); err != nil { // keeps the first one's inode in use
		t.Fatal(err)
	}
	second, err := listenAt("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	first.Close()
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal("the second listener's socket is gone:", err)
	}
	nc.Close()
}
