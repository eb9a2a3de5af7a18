package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"

	"mxhook/cmd/internal/password"
)

// maxPassword is what PLAIN carries (RFC 4616 2), in octets.
const maxPassword = 255

// runHashPassword reads a password and prints the hash for a listener's users.
func runHashPassword(_ context.Context, t *terminal, args []string) int {
	f := newFlags(t, "hash-password")
	if _, status, ok := f.parse(args, 0, 0); !ok {
		return status
	}
	secret, err := readPassword(t)
	if err != nil {
		fmt.Fprintln(t.stderr, "mxhook hash-password:", err)
		return exitProblem
	}
	fmt.Fprintln(t.stdout, password.New(secret))
	return exitGood
}

// readPassword reads one line of standard input, unseen if that is a terminal.
func readPassword(t *terminal) (string, error) {
	if tty, ok := t.stdin.(*os.File); ok {
		if info, err := tty.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprint(t.stderr, "Password: ")
			defer hideInput(tty, t.stderr)()
		}
	}
	line, err := bufio.NewReader(io.LimitReader(t.stdin, maxPassword+3)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", errors.New("standard input can't be read")
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	switch {
	case line == "":
		return "", errors.New("no password on standard input")
	case len(line) > maxPassword:
		return "", fmt.Errorf("a password has at most %d octets", maxPassword)
	case strings.ContainsAny(line, "\x00\r"):
		return "", errors.New("a password holds no NUL and no CR")
	}
	return line, nil
}

// hideInput switches the terminal's echo off, until show or an interrupt. Where there is
// no stty the password is seen.
func hideInput(tty *os.File, out io.Writer) (show func()) {
	stty := func(arg string) error {
		cmd := exec.Command("stty", arg)
		cmd.Stdin = tty
		return cmd.Run()
	}
	if stty("-echo") != nil {
		return func() {}
	}
	interrupted, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(interrupted, os.Interrupt)
	go func() {
		select {
		case <-interrupted:
			stty("echo")
			signal.Reset(os.Interrupt) // and now it ends the process
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				self.Signal(os.Interrupt)
			}
		case <-done:
		}
	}()
	return func() {
		signal.Stop(interrupted)
		close(done)
		stty("echo")
		fmt.Fprintln(out)
	}
}
