package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
)

//go:embed ui/*.html ui/style.css ui/icon.svg ui/dist/*.js
var assets embed.FS

// pagePolicy lets a page use what this server serves and nothing else; scripts and styles in the markup do not run.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pages serves the pages and their parts, each by its name: no path of a request ever reaches a file system.
func (s *Server) pages(mux *http.ServeMux) {
	for pattern, f := range map[string]struct{ file, mediaType string }{
		"GET /{$}":          {"ui/home.html", "text/html; charset=utf-8"},
		"GET /label":        {"ui/label.html", "text/html; charset=utf-8"},
		"GET /ui/style.css": {"ui/style.css", "text/css; charset=utf-8"},
		"GET /ui/icon.svg":  {"ui/icon.svg", "image/svg+xml"},
		"GET /ui/home.js":   {"ui/dist/home.js", "text/javascript; charset=utf-8"},
		"GET /ui/label.js":  {"ui/dist/label.js", "text/javascript; charset=utf-8"},
	} {
		data, err := assets.ReadFile(f.file)
		if err != nil {
			panic("web: embedded file " + f.file + " is missing") // the embed pattern above would not have compiled
		}
		sum := sha256.Sum256(data)
		tag := `"` + hex.EncodeToString(sum[:8]) + `"`
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", f.mediaType)
			h.Set("Cache-Control", "no-cache")
			h.Set("ETag", tag)
			if path.Ext(f.file) == ".html" {
				h.Set("Content-Security-Policy", pagePolicy)
			}
			if r.Header.Get("If-None-Match") == tag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write(data)
		})
	}
}
