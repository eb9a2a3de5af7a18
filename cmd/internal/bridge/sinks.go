package bridge

import (
	"cmp"
	"fmt"
	"runtime"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/metrics"
	"mxhook/sinks"
	"mxhook/sinks/dir"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
	"mxhook/sinks/webhook"
)

// buildSinks makes all sinks, those that others store in first.
func (b *Bridge) buildSinks(list []config.Sink) (map[string]sinks.Sink, error) {
	made := map[string]sinks.Sink{}
	for _, chooses := range []bool{false, true} {
		for _, c := range list {
			if _, ok := c.Payload(); ok != chooses {
				continue
			}
			s, err := b.buildSink(c, made)
			if err != nil {
				return nil, err
			}
			made[c.Name] = s
		}
	}
	return made, nil
}

// buildSink makes one sink.
func (b *Bridge) buildSink(c config.Sink, stores map[string]sinks.Sink) (sinks.Sink, error) {
	switch c.Type {
	case "webhook":
		return b.buildWebhook(c, stores)
	case "s3":
		return b.buildS3(c.Name, c.S3)
	case "sqs":
		return b.buildSQS(c, stores)
	case "dir":
		return dir.New(dir.Config{
			Name: c.Name, Path: c.Dir.Path, URL: c.Dir.URL, Log: b.log, Observer: b.observer(),
			Include: dirInclude(), Maildir: c.Dir.Maildir,
		})
	}
	return nil, fmt.Errorf("sink %q: type %q is unknown", c.Name, c.Type)
}

// dirInclude is what a dir sink's own payloads carry.
func dirInclude() payload.Include {
	return payload.Include{Attachments: "inline", Raw: "none", HTML: true}
}

func (b *Bridge) buildWebhook(sink config.Sink, stores map[string]sinks.Sink) (sinks.Sink, error) {
	name, c := sink.Name, sink.Webhook
	tlsConfig, err := clientTLS(c.TLS)
	if err != nil {
		return nil, fmt.Errorf("sink %q: %w", name, err)
	}
	kind, _ := formats.Find(c.Format)
	format, err := formatIn(sink, stores)
	if err != nil {
		return nil, err
	}
	wc := webhook.Config{
		Name: name, URL: string(c.URL), Format: format, Headers: map[string]string{},
		Timeout: c.Timeout, Attempts: c.Attempts, Concurrency: c.Concurrency, FanOut: sinks.FanOut(c.FanOut),
		RejectOn: c.RejectOn, TLS: tlsConfig, Proxy: string(c.Proxy), Version: cmp.Or(b.options.Version, "devel"), Log: b.log,
		Observer: b.circuits.Observe(b.observer()),
	}
	for header, value := range c.Headers {
		wc.Headers[header] = string(value)
	}
	for _, s := range c.Secrets {
		if kind.Secret != formats.StandardWebhooks {
			break
		}
		key, err := webhook.ParseSecret(string(s))
		if err != nil {
			return nil, fmt.Errorf("sink %q: secret: %w", name, err)
		}
		wc.Secrets = append(wc.Secrets, key)
	}
	for _, value := range []string{c.Include.Attachments, c.Include.Raw} {
		if store, ok := config.StoreIn(value); ok && sinks.WantsDate(stores[store]) {
			wc.Dated = true
		}
	}
	s, err := webhook.New(wc)
	if err != nil {
		return nil, err
	}
	return b.circuits.Guard(s), nil
}

// formatIn makes the format of a sink's payloads, with the sinks that it stores in.
func formatIn(c config.Sink, stores map[string]sinks.Sink) (payload.Format, error) {
	p, _ := c.Payload()
	f, err := formatOf(p, func(name string) (payload.Store, bool) {
		return within[payload.Store](stores[name])
	})
	if err != nil {
		return nil, fmt.Errorf("sink %q: %w", c.Name, err)
	}
	return f, nil
}

// formatOf makes the format of a sink's payloads, with the stores that it names.
func formatOf(c config.Payload, store func(name string) (payload.Store, bool)) (payload.Format, error) {
	kind, _ := formats.Find(c.Format)
	o := formats.Options{Include: payload.Include{Attachments: c.Include.Attachments, Raw: c.Include.Raw, HTML: c.Include.HTML}}
	if kind.Secret != formats.StandardWebhooks && len(c.Secrets) > 0 {
		o.Secret = string(c.Secrets[0])
	}
	if err := storeNamed(&o.Include.Attachments, &o.Include.AttachmentStore, store); err != nil {
		return nil, err
	}
	if err := storeNamed(&o.Include.Raw, &o.Include.RawStore, store); err != nil {
		return nil, err
	}
	return formats.New(c.Format, o)
}

// storeNamed finds the store that a value of include names.
func storeNamed(value *string, s *payload.Store, store func(name string) (payload.Store, bool)) error {
	name, ok := config.StoreIn(*value)
	if !ok {
		return nil
	}
	if *s, ok = store(name); !ok {
		return fmt.Errorf("sink %q can't store", name)
	}
	*value = payload.Stored
	return nil
}

// Sinks makes the sinks of a configuration outside a bridge, for those who want to ask
// them something. It opens no connection and no file.
func Sinks(c *config.Config, o Options) (map[string]sinks.Sink, error) {
	b := &Bridge{options: o, log: o.Log, metrics: metrics.New(o.Version, o.Commit, runtime.Version(), func() int64 { return 0 })}
	b.circuits = b.newCircuits()
	return b.buildSinks(c.Sinks)
}
