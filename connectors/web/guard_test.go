package web_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"gleaner/connectors/web"
)

func TestToken(t *testing.T) {
	const token = "a-long-random-token"
	s := open(t, func(c *web.Config, d *web.Deps) {
		c.Token = token
		d.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") })
	})
	for _, path := range []string{"/api/queues", "/metrics", "/api/images/" + s.sample.Image.SHA256.String()} {
		s.ask("GET", path, "").want(t, 401, "token")
		s.ask("GET", path, "", "Authorization", "Bearer wrong").want(t, 401, "token")
		s.ask("GET", path, "", "Cookie", "gleaner_session="+token).want(t, 401, "token")
		s.ask("GET", path, "", "Authorization", "Bearer "+token).want(t, 200, "")
	}
	for _, path := range []string{"/", "/label", "/ui/home.js", "/healthz"} {
		s.ask("GET", path, "").want(t, 200, "")
	}
	s.ask("POST", "/api/session", `{"token":"wrong"}`).want(t, 401, "not the token")
	in := s.ask("POST", "/api/session", `{"token":"`+token+`"}`)
	in.want(t, 204, "")
	c := in.Cookies()
	if len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || strings.Contains(c[0].Value, token) {
		t.Fatalf("cookie %v", c)
	}
	s.ask("GET", "/api/queues", "", "Cookie", c[0].Name+"="+c[0].Value).want(t, 200, "")
}

func TestPagesNeedNothingElse(t *testing.T) {
	s := open(t, nil)
	for _, path := range []string{"/", "/label", "/ui/home.js", "/ui/label.js", "/ui/style.css", "/ui/icon.svg"} {
		a := s.ask("GET", path, "")
		a.want(t, 200, "")
		for _, other := range []string{"https://", "http://"} {
			if text := strings.ReplaceAll(string(a.body), "http://www.w3.org/2000/svg", ""); strings.Contains(text, other) {
				t.Errorf("%s names an address outside", path)
			}
		}
		if strings.Contains(string(a.body), "innerHTML") {
			t.Errorf("%s makes markup of text", path)
		}
		s.ask("GET", path, "", "If-None-Match", a.Header.Get("ETag")).want(t, 304, "")
	}
	if csp := s.ask("GET", "/", "").Header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	if a := s.ask("GET", "/ui/..%2f..%2fgo.mod", ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("a path out of the folder answers %d", a.StatusCode)
	}
}
