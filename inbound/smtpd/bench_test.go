package smtpd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"mxhook/inbound"
)

type sink struct{}

func (sink) Mail(context.Context, inbound.Session, inbound.Mail) (inbound.Transaction, error) {
	return sink{}, nil
}
func (sink) Rcpt(context.Context, inbound.Path) error { return nil }
func (sink) Data(context.Context, *inbound.MailData) inbound.Answer {
	return inbound.Answer{Text: "msg"}
}
func (sink) Close() {}

// BenchmarkMessage is a whole transaction over loopback TCP, with the two SHA-256 that
// MailData keeps.
func BenchmarkMessage(b *testing.B) {
	for _, size := range []int{2 << 10, 200 << 10, 10 << 20} {
		for _, way := range []string{"DATA", "BDAT"} {
			b.Run(fmt.Sprintf("%s/%dKiB", way, size>>10), func(b *testing.B) {
				s := New(Config{Hostname: "mx.test", Store: inbound.NewStore(b.TempDir(), 1<<20), Handler: sink{}, Log: slog.New(slog.DiscardHandler)})
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				done := make(chan error, 1)
				go func() { done <- s.Serve(ln) }()
				nc, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				body := "Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("YWJj", 19)+"\r\n", size/78)
				c := newClient(b, nc).hello()
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					c.want("MAIL FROM:<a@b.test>", "250").want("RCPT TO:<b@mx.test>", "250")
					if way == "DATA" {
						c.want("DATA", "354")
						io.WriteString(nc, body)
						c.want(".", "250")
						continue
					}
					fmt.Fprintf(nc, "BDAT %d LAST\r\n", len(body))
					io.WriteString(nc, body)
					c.want("", "250")
				}
				nc.Close()
				if err := s.Stop(context.Background()); err != nil {
					b.Error(err)
				}
				<-done
			})
		}
	}
}
