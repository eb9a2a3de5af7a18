package senders

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// root runs shell scripts, on this machine or in a root of its own.
type root struct {
	pid string // the first process of the root; "" is this machine
	dir string // where the root is mounted in its namespace
}

// openRoot mounts an overlay over this machine's file system, in namespaces of its
// own, and unpacks the Debian archives in it. What is written there, and every process
// that was started there, is gone when the test ends. The network is the machine's.
const openRoot = `set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
hostname mail.sender.example
for deb in "${2:-/nonexistent}"/*.deb; do
  [ ! -e "$deb" ] || dpkg --fsys-tarfile "$deb" | tar -xC "$1/root" --keep-directory-symlink
done
mount --rbind /dev "$1/root/dev"
mount -t proc proc "$1/root/proc"
mount -t tmpfs -o mode=755 tmpfs "$1/root/run"
mount -t tmpfs -o mode=1777 tmpfs "$1/root/tmp"
echo ready
cat >/dev/null`

func newRoot(t *testing.T, archives string) *root {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a root of its own needs the rights of root")
	}
	dir := t.TempDir()
	os.Chmod(dir, 0o755)
	cmd := exec.Command("unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "sh", "-c", openRoot, "sh", dir, archives)
	stdin, _ := cmd.StdinPipe()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		missing(t, "namespaces: "+err.Error())
	}
	t.Cleanup(func() {
		cmd.Process.Kill() // its child dies with it, and all others with that
		stdin.Close()
		cmd.Wait()
	})
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		stdin.Close()
		cmd.Wait()
		missing(t, "a root of its own: "+complaints.String())
	}
	first, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return &root{pid: strings.TrimSpace(string(first)), dir: filepath.Join(dir, "root")}
}

// run runs a script and returns what it wrote.
func (r *root) run(t *testing.T, script, stdin string, env ...string) (string, error) {
	t.Helper()
	args := []string{"sh", "-c", script}
	if r.pid != "" {
		args = append([]string{"nsenter", "--target", r.pid, "--mount", "--pid", "--uts", "chroot", r.dir}, args...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// write puts a file into the root.
func (r *root) write(t *testing.T, name, text string) {
	t.Helper()
	if out, err := r.run(t, `mkdir -p "$(dirname "$NAME")" && cat > "$NAME"`, text, "NAME=/"+name); err != nil {
		t.Fatalf("%s: %v %s", name, err, out)
	}
}

// missing ends a test that lacks something on this machine.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("MXHOOK_INTEROP") == "require" {
		t.Fatalf("not here, and MXHOOK_INTEROP=require: %s", what)
	}
	t.Skipf("not here: %s", what)
}
