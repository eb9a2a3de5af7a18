package smtpd

import (
	"testing"

	"mxhook/inbound"
)

// noDisk is a reserve that no disk has.
const noDisk = 1 << 60

// Without room on the disk a message is put off at MAIL, and the session goes on.
func TestLessFreeThanTheReserve(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Store = inbound.NewBoundedStore(inbound.StoreConfig{Dir: t.TempDir(), Threshold: 100, Memory: 1000, Reserve: noDisk})
	})
	r.dial().hello().want("MAIL FROM:<a@client.test>", "452 4.3.1 insufficient storage").
		want("RCPT TO:<b@mx.test>", "503").want("MAIL FROM:<a@client.test> SIZE=1", "452 4.3.1").
		want("MAIL FROM:<a@client.test> SIZE=99999999", "552 5.3.4").want("NOOP", "250").want("QUIT", "221")
	if n, _ := r.h.count(); n != 0 || r.obs.replied["no_storage"] != 2 {
		t.Errorf("%d messages, counted %v", n, r.obs.replied)
	}
}

// A declared size that neither memory nor disk takes now is put off; a smaller one of
// the same session isn't.
func TestADeclaredSizeThatDoesNotFitNow(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Limits.MessageSize = 1 << 62
		c.Store = inbound.NewBoundedStore(inbound.StoreConfig{Dir: t.TempDir(), Threshold: 100, Memory: 1000, Reserve: 1})
	})
	r.dial().hello().want("MAIL FROM:<a@client.test> SIZE=2305843009213693952", "452 4.3.1").
		want("MAIL FROM:<a@client.test> SIZE=5", "250 2.1.0").want("QUIT", "221")
}

// With neither memory nor disk there is no use in a connection.
func TestWithoutMemoryAndDiskConnectionsArePutOff(t *testing.T) {
	store := inbound.NewBoundedStore(inbound.StoreConfig{Dir: t.TempDir(), Threshold: 100, Memory: 50, Reserve: noDisk})
	r := start(t, func(c *Config) { c.Store = store })
	r.dial().hello()
	held := store.NewBuffer(50)
	r.dial().want("", "421 4.4.5 too many connections, try again later").want("", "EOF")
	held.Discard()
	r.dial().hello()
}
