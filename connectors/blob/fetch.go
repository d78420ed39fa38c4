package blob

// Fetching what a claim check names. Producers choose these addresses, so a fetch reaches only what the configuration
// lets it: public web servers, and folders named one by one.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"gleaner/schemas"
)

// FetchConfig bounds what claim checks may reach.
type FetchConfig struct {
	MaxBytes     schemas.ByteSize `yaml:"max_bytes"`     // of one image
	Timeout      time.Duration    `yaml:"timeout"`       // of one fetch, connecting and reading
	AllowPrivate bool             `yaml:"allow_private"` // also private, loopback and link-local addresses
	Folders      []string         `yaml:"folders"`       // local folders that file:// may read from; none by default
}

// DefaultFetchConfig reaches public web servers only.
func DefaultFetchConfig() FetchConfig {
	return FetchConfig{MaxBytes: 32 << 20, Timeout: 30 * time.Second}
}

// Validate refuses limits that admit nothing.
func (c FetchConfig) Validate() error {
	if c.MaxBytes <= 0 || c.Timeout <= 0 {
		return fmt.Errorf("max_bytes %d and timeout %s must be positive", c.MaxBytes, c.Timeout)
	}
	for _, f := range c.Folders {
		if !filepath.IsAbs(f) {
			return fmt.Errorf("folders: %q is not an absolute path", f)
		}
	}
	return nil
}

// Fetcher reads what claim checks name. It is safe for concurrent use.
type Fetcher struct {
	// Progress, where it is set before the first call, is told how many bytes of a fetch have come, of how many; of -1 where
	// that is not known.
	Progress func(done, total int64)

	cfg    FetchConfig
	client *http.Client
}

// reserved are the networks that are nobody's on the public internet, beyond those that netip knows by name (IANA's special
// registries). Clouds serve their credentials within some of them, and the last ones stand for IPv4 addresses of any kind.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carriers' own
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), // benchmarks
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/32"),
	netip.MustParsePrefix("2002::/16"),
}

// public reports whether an address is one of the public internet.
func public(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() &&
		!slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(a) })
}

// NewFetcher returns a Fetcher under the given bounds.
func NewFetcher(c FetchConfig) (*Fetcher, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("blob: fetch: %w", err)
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if !c.AllowPrivate {
		// Checked at the connection, after the name was resolved and for every redirect.
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil || !public(ap.Addr()) {
				return &schemas.Fault{Reason: "forbidden-url", Err: fmt.Errorf("address %s is not public; allow_private lets it", address)}
			}
			return nil
		}
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = dialer.DialContext
	if !c.AllowPrivate {
		t.Proxy = nil // a proxy would connect in our stead, unchecked
	}
	return &Fetcher{cfg: c, client: &http.Client{Transport: t, Timeout: c.Timeout}}, nil
}

// Fetch reads an http, https or file URL. What a retry cannot mend is a schemas.Fault: "forbidden-url", "not-found" (any
// refusal of the server), "too-large". Other errors (connection, 5xx, 429) are worth another try.
func (f *Fetcher) Fetch(ctx context.Context, rawURL string) ([]byte, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, schemas.NewFault("forbidden-url", fmt.Errorf("blob: fetch: %w", err))
	}
	var data []byte
	switch u.Scheme {
	case "http", "https":
		data, err = f.web(ctx, u)
	case "file":
		data, err = f.file(u)
	default:
		err = schemas.NewFault("forbidden-url", fmt.Errorf("scheme %q: want http, https or file", u.Scheme))
	}
	if err != nil {
		return nil, fmt.Errorf("blob: fetch %s: %w", u.Redacted(), err)
	}
	return data, nil
}

func (f *Fetcher) web(ctx context.Context, u *url.URL) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, schemas.NewFault("forbidden-url", err)
	}
	res, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	switch code := res.StatusCode; {
	case code == http.StatusOK:
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		return nil, errors.New(res.Status)
	default:
		return nil, schemas.NewFault("not-found", errors.New(res.Status))
	}
	return f.read(res.Body, res.ContentLength)
}

func (f *Fetcher) file(u *url.URL) ([]byte, error) {
	if u.Host != "" && u.Host != "localhost" {
		return nil, schemas.NewFault("forbidden-url", fmt.Errorf("host %q in a file URL", u.Host))
	}
	path := filepath.Clean(filepath.FromSlash(u.Path))
	for _, folder := range f.cfg.Folders {
		rel, err := filepath.Rel(folder, path)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		// A root does not follow links that lead out of it.
		root, err := os.OpenRoot(folder)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		info, err := root.Stat(rel)
		if err != nil {
			return nil, schemas.NewFault("not-found", err)
		}
		if !info.Mode().IsRegular() {
			return nil, schemas.NewFault("forbidden-url", errors.New("not a regular file"))
		}
		file, err := root.Open(rel)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return f.read(file, info.Size())
	}
	return nil, schemas.NewFault("forbidden-url", errors.New("the file lies in none of the folders that fetches may read"))
}

// read reads at most MaxBytes; size is the promised length or negative.
func (f *Fetcher) read(r io.Reader, size int64) ([]byte, error) {
	limit := int64(f.cfg.MaxBytes)
	if size > limit {
		return nil, schemas.NewFault("too-large", fmt.Errorf("%d bytes, the limit is %d", size, limit))
	}
	if f.Progress != nil {
		r = &watched{Reader: r, total: size, progress: f.Progress}
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, schemas.NewFault("too-large", fmt.Errorf("more than the limit of %d bytes", limit))
	}
	return data, nil
}

// watched is a reader that tells how far it is.
type watched struct {
	io.Reader
	done, total int64
	progress    func(done, total int64)
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.done += int64(n)
	w.progress(w.done, w.total)
	return n, err
}
