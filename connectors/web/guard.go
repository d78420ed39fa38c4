package web

// Who may ask: bearer token or session cookie, the same origin, the right host, and a valid actor.

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

const sessionCookie = "gleaner_session"

var actorPattern = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._@:+-]{0,63}$`)

// guard refuses requests of other sites (CSRF, DNS rebinding) and, where a token is set, of strangers. It also sets the headers
// that every answer has.
func (s *Server) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'") // pages replace it
		switch {
		case !s.hostAllowed(r.Host):
			s.fail(w, problem(http.StatusMisdirectedRequest, "this server does not answer to the name in the Host header", "use its IP address or localhost, or set web.token or web.insecure"))
		case origin.Check(r) != nil:
			s.fail(w, problem(http.StatusForbidden, "the request comes from a page of another site", "call the API from the server's own pages, or from a program"))
		case s.cfg.Token != "" && !open(r) && !s.authorized(r):
			w.Header().Set("WWW-Authenticate", `Bearer realm="gleaner"`)
			s.fail(w, problem(http.StatusUnauthorized, "a token is needed", "send Authorization: Bearer TOKEN (web.token of the configuration); on the page, sign in"))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// hostAllowed keeps sites from reaching a server that trusts its own machine by pointing a name of theirs at it.
func (s *Server) hostAllowed(host string) bool {
	if s.cfg.Token != "" || s.cfg.Insecure {
		return true
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	return host == "localhost" || net.ParseIP(host) != nil
}

// open lists what needs no token: pages and their scripts hold no data, and sign-in is where the token is given.
func open(r *http.Request) bool {
	p := r.URL.Path
	return !strings.HasPrefix(p, "/api/") && p != "/metrics" || p == "/api/session"
}

func (s *Server) authorized(r *http.Request) bool {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return same(token, s.cfg.Token)
	}
	c, err := r.Cookie(sessionCookie)
	return err == nil && same(c.Value, s.session())
}

// session is the cookie's value: derived from the token, so that it holds over restarts and on every instance, and a new token
// ends all sessions.
func (s *Server) session() string {
	mac := hmac.New(sha256.New, []byte(s.cfg.Token))
	mac.Write([]byte("gleaner/web/session/v1"))
	return hex.EncodeToString(mac.Sum(nil))
}

// same compares digests in constant time, so that neither content nor length leaks.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// signIn trades the token for a session cookie, since an <img> cannot send a bearer token.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Token string `json:"token"`
	}
	if err := s.readJSON(w, r, &body); err != nil {
		return err
	}
	if s.cfg.Token != "" {
		if !same(body.Token, s.cfg.Token) {
			return problem(http.StatusUnauthorized, "this is not the token", "ask whoever runs the server for web.token")
		}
		http.SetCookie(w, &http.Cookie{
			Name: sessionCookie, Value: s.session(), Path: "/", HttpOnly: true,
			Secure: s.cfg.TLS.Cert != "", SameSite: http.SameSiteStrictMode, MaxAge: 30 * 24 * 3600,
		})
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// actor is who asks: the X-Actor header, percent-encoded where it is not ASCII, or else the actor parameter.
func actor(r *http.Request) (string, error) {
	name := r.Header.Get("X-Actor")
	if name != "" {
		if plain, err := url.PathUnescape(name); err == nil {
			name = plain
		}
	} else {
		name = r.URL.Query().Get("actor")
	}
	if !actorPattern.MatchString(name) {
		return "", problem(http.StatusBadRequest, "who is asking? X-Actor is missing or not a name", "send the header X-Actor: NAME, 1 to 64 letters, digits, spaces or . _ @ : + -, percent-encoded where not ASCII")
	}
	return name, nil
}
