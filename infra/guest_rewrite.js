// CloudFront Function (viewer-request, runtime cloudfront-js-2.0): the guest's short addresses -> flat keys in S3.
//   /g/CODE  /g/code/                       -> /g/code.html
//   /g/2026-11-07-jonas-afternoon           -> /g/2026-11-07-jonas-afternoon.html
// Anything else is passed on as it came. It never answers itself, so it can never redirect.
// CODE is the application's guests/codes.py CODE_PATTERN in either case: a test compares the two.
var CODE = /^\/g\/([0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{7,16})\/?$/;
var SLUG = /^\/g\/([0-9]{4}-[0-9]{2}-[0-9]{2}(?:-[0-9A-Za-z]{1,40}){1,8})\/?$/;

function handler(event) {
    var request = event.request;
    var match = CODE.exec(request.uri) || SLUG.exec(request.uri);
    if (match) {
        request.uri = '/g/' + match[1].toLowerCase() + '.html';
        request.querystring = {}; // one cache entry, whatever a newsletter adds
    }
    return request;
}
