/**
 * What Express's own examples do, written anew after them in our words: honest code by people who know the framework, and
 * nothing may be found in it. Some of it comes close to what the rules look for.
 */
export const expressExamples: Readonly<Record<string, string>> = {
  "hello-world": `
    const express = require('express')
    const app = module.exports = express()
    app.get('/', function (req, res) { res.send('Hello World') })
    if (!module.parent) { app.listen(3000); console.log('Express started on port 3000') }`,

  auth: `
    var express = require('express');
    var hash = require('pbkdf2-password')();
    var path = require('path');
    var session = require('express-session');
    var app = module.exports = express();
    app.set('view engine', 'ejs');
    app.set('views', path.join(__dirname, 'views'));
    app.use(express.urlencoded({ extended: false }))
    app.use(session({ resave: false, saveUninitialized: false, secret: 'shhhh, very secret' }));
    app.use(function (req, res, next) {
      var err = req.session.error;
      var msg = req.session.success;
      delete req.session.error;
      res.locals.message = '';
      if (err) res.locals.message = '<p class="msg error">' + err + '</p>';
      if (msg) res.locals.message = '<p class="msg success">' + msg + '</p>';
      next();
    });
    var users = { tj: { name: 'tj' } };
    hash({ password: 'foobar' }, function (err, pass, salt, hash) {
      if (err) throw err;
      users.tj.salt = salt;
      users.tj.hash = hash;
    });
    function authenticate(name, pass, fn) {
      if (!module.parent) console.log('authenticating %s:%s', name, pass);
      var user = users[name];
      if (!user) return fn(null, null)
      hash({ password: pass, salt: user.salt }, function (err, pass, salt, hash) {
        if (err) return fn(err);
        if (hash === user.hash) return fn(null, user)
        fn(null, null)
      });
    }
    function restrict(req, res, next) {
      if (req.session.user) { next(); } else { req.session.error = 'Access denied!'; res.redirect('/login'); }
    }
    app.get('/restricted', restrict, function (req, res) { res.send('Wahoo! restricted area, click to <a href="/logout">logout</a>'); });
    app.get('/login', function (req, res) { res.render('login'); });
    app.post('/login', function (req, res, next) {
      if (!req.body) return res.sendStatus(400)
      authenticate(req.body.username, req.body.password, function (err, user) {
        if (err) return next(err)
        if (!user) { req.session.error = 'Authentication failed'; return res.redirect('/login'); }
        req.session.regenerate(function () { req.session.user = user; res.redirect(req.get('Referrer') || '/'); });
      });
    });`,

  "content-negotiation": `
    const express = require('express');
    const app = module.exports = express();
    const users = require('./db');
    app.get('/', function (req, res) {
      res.format({
        html: function () { res.send('<ul>' + users.map(function (user) { return '<li>' + user.name + '</li>'; }).join('') + '</ul>'); },
        json: function () { res.json(users); }
      });
    });
    function format(path) { var obj = require(path); return function (req, res) { res.format(obj); }; }
    app.get('/users', format('./users'));`,

  "cookie-sessions": `
    var cookieSession = require('cookie-session');
    var express = require('express');
    var app = module.exports = express();
    app.use(cookieSession({ secret: 'manny is cool' }));
    app.get('/', function (req, res) {
      req.session.count = (req.session.count || 0) + 1
      res.send('viewed ' + req.session.count + ' times\\n')
    })`,

  cookies: `
    var express = require('express');
    var app = module.exports = express();
    var cookieParser = require('cookie-parser');
    app.use(cookieParser('my secret here'));
    app.use(express.urlencoded({ extended: false }))
    app.get('/', function (req, res) {
      if (req.cookies.remember) res.send('Remembered :). Click to <a href="/forget">forget</a>!.');
      else res.send('<form method="post"><label><input type="checkbox" name="remember"/> remember me</label></form>');
    });
    app.get('/forget', function (req, res) { res.clearCookie('remember'); res.redirect(req.get('Referrer') || '/'); });
    app.post('/', function (req, res) {
      var minute = 60000;
      if (req.body && req.body.remember) res.cookie('remember', 1, { maxAge: minute });
      res.redirect(req.get('Referrer') || '/');
    });`,

  downloads: `
    var express = require('express');
    var path = require('path');
    var app = module.exports = express();
    var FILES_DIR = path.join(__dirname, 'files');
    app.get('/files/*file', function (req, res, next) {
      res.download(req.params.file.join('/'), { root: FILES_DIR }, function (err) {
        if (!err) return;
        if (err.status !== 404) return next(err);
        res.statusCode = 404;
        res.send('Cant find that file, sorry!');
      });
    });`,

  error: `
    var express = require('express');
    var logger = require('morgan');
    var app = module.exports = express();
    var test = app.get('env') === 'test';
    if (!test) app.use(logger('dev'));
    function error(err, req, res, next) {
      if (!test) console.error(err.stack);
      res.status(500);
      res.send('Internal Server Error');
    }
    app.get('/', function () { throw new Error('something broke!'); });
    app.get('/next', function (req, res, next) { process.nextTick(function () { next(new Error('oh no!')); }); });
    app.use(error);`,

  "error-pages": `
    var express = require('express');
    var path = require('path');
    var app = module.exports = express();
    var silent = process.env.NODE_ENV === 'test'
    app.enable('verbose errors');
    if (app.settings.env === 'production') app.disable('verbose errors')
    app.get('/403', function (req, res, next) { var err = new Error('not allowed!'); err.status = 403; next(err); });
    app.use(function (req, res, next) {
      res.status(404);
      res.format({
        html: function () { res.render('404', { url: req.url }) },
        json: function () { res.json({ error: 'Not found' }) },
        default: function () { res.type('txt').send('Not found') }
      })
    });
    app.use(function (err, req, res, next) {
      res.status(err.status || 500);
      res.render('500', { error: err });
    });`,

  "multi-router": `
    const express = require('express');
    const app = module.exports = express();
    const v1 = express.Router();
    v1.get('/', function (req, res) { res.send('Hello from APIv1 root route.'); });
    v1.get('/users', function (req, res) { res.send('List of APIv1 users.'); });
    app.use('/api/v1', v1);`,

  mvc: `
    var db = require('../../db');
    exports.before = function (req, res, next) {
      var id = req.params.user_id;
      process.nextTick(function () { req.user = db.users[id]; if (!req.user) return next('route'); next(); });
    };
    exports.list = function (req, res, next) { res.render('list', { users: db.users }); };
    exports.update = function (req, res, next) {
      var body = req.body;
      req.user.name = body.user.name;
      res.message('Information updated!');
      res.redirect('/user/' + req.user.id);
    };`,

  "mvc-app": `
    var express = require('express');
    var logger = require('morgan');
    var path = require('path');
    var session = require('express-session');
    var methodOverride = require('method-override');
    var app = module.exports = express();
    app.response.message = function (msg) {
      var sess = this.req.session;
      sess.messages = sess.messages || [];
      sess.messages.push(msg);
      return this;
    };
    if (!module.parent) app.use(logger('dev'));
    app.use(express.static(path.join(__dirname, 'public')));
    app.use(session({ resave: false, saveUninitialized: false, secret: 'some secret here' }));
    app.use(express.urlencoded({ extended: true }))
    app.use(methodOverride('_method'));
    app.use(function (err, req, res, next) {
      if (!module.parent) console.error(err.stack);
      res.status(500).render('5xx');
    });
    app.use(function (req, res, next) { res.status(404).render('404', { url: req.originalUrl }); });`,

  params: `
    var createError = require('http-errors')
    var express = require('express');
    var app = module.exports = express();
    var users = [{ name: 'tj' }, { name: 'tobi' }];
    app.param(['to', 'from'], function (req, res, next, num, name) {
      req.params[name] = parseInt(num, 10);
      if (isNaN(req.params[name])) next(createError(400, 'failed to parseInt ' + num));
      else next();
    });
    app.param('user', function (req, res, next, id) { if (req.user = users[id]) next(); else next(createError(404, 'failed to find user')); });
    app.get('/user/:user', function (req, res) { res.send('user ' + req.user.name); });
    app.get('/users/:from-:to', function (req, res) {
      var names = users.map(function (user) { return user.name; });
      res.send('users ' + names.slice(req.params.from, req.params.to + 1).join(', '));
    });`,

  resource: `
    var express = require('express');
    var app = module.exports = express();
    app.resource = function (path, obj) {
      this.get(path, obj.index);
      this.get(path + '/:a..:b{.:format}', function (req, res) {
        var a = parseInt(req.params.a, 10);
        obj.range(req, res, a, parseInt(req.params.b, 10), req.params.format);
      });
      this.get(path + '/:id', obj.show);
      this.delete(path + '/:id', function (req, res) { obj.destroy(req, res, parseInt(req.params.id, 10)); });
    };
    var users = [{ name: 'tj' }];
    var User = {
      index: function (req, res) { res.send(users); },
      show: function (req, res) { res.send(users[req.params.id] || { error: 'Cannot find user' }); },
      destroy: function (req, res, id) { delete users[id]; res.send(id in users ? 'destroyed' : 'Cannot find user'); }
    };
    app.resource('/users', User);`,

  "route-map": `
    var express = require('express');
    var app = module.exports = express();
    app.map = function (a, route) {
      route = route || '';
      for (var key in a) {
        switch (typeof a[key]) {
          case 'object': app.map(a[key], route + key); break;
          case 'function': app[key](route, a[key]); break;
        }
      }
    };
    var users = { get: function (req, res) { res.send('user ' + req.params.uid); }, delete: function (req, res) { res.send('delete users'); } };
    app.map({ '/users': { get: users.get, '/:uid': { delete: users.delete } } });`,

  "route-middleware": `
    var express = require('express');
    var app = module.exports = express();
    var users = [{ id: 0, name: 'tj', email: 'tj@example.com', role: 'member' }];
    function loadUser(req, res, next) {
      var user = users[req.params.id];
      if (user) { req.user = user; next(); } else { next(new Error('Failed to load user ' + req.params.id)); }
    }
    function andRestrictToSelf(req, res, next) { if (req.authenticatedUser.id === req.user.id) next(); else next(new Error('Unauthorized')); }
    function andRestrictTo(role) { return function (req, res, next) { if (req.authenticatedUser.role === role) next(); else next(new Error('Unauthorized')); } }
    app.use(function (req, res, next) { req.authenticatedUser = users[0]; next(); });
    app.get('/', function (req, res) { res.redirect('/user/0'); });
    app.get('/user/:id', loadUser, function (req, res) { res.send('Viewing user ' + req.user.name); });
    app.get('/user/:id/edit', loadUser, andRestrictToSelf, function (req, res) { res.send('Editing user ' + req.user.name); });
    app.delete('/user/:id', loadUser, andRestrictTo('admin'), function (req, res) { res.send('Deleted user ' + req.user.name); });`,

  "route-separation": `
    var users = [{ name: 'TJ', email: 'tj@example.com' }];
    exports.load = function (req, res, next) {
      var id = req.params.id;
      req.user = users[id];
      if (req.user) { next(); } else { var err = new Error('cannot find user ' + id); err.status = 404; next(err); }
    };
    exports.update = function (req, res) {
      var user = req.body.user;
      req.user.name = user.name;
      req.user.email = user.email;
      res.redirect(req.get('Referrer') || '/');
    };`,

  search: `
    var express = require('express');
    var path = require('path');
    var redis = require('redis');
    var db = redis.createClient();
    var app = express();
    app.use(express.static(path.join(__dirname, 'public')));
    app.get('/search/{:query}', function (req, res, next) {
      db.smembers(req.params.query, function (err, vals) { if (err) return next(err); res.send(vals); });
    });
    app.get('/client.js', function (req, res) { res.sendFile(path.join(__dirname, 'client.js')); });`,

  session: `
    var express = require('express');
    var session = require('express-session');
    var app = express();
    app.use(session({ resave: false, saveUninitialized: false, secret: 'keyboard cat' }));
    app.get('/', function (req, res) {
      var body = '';
      if (req.session.views) { ++req.session.views; } else { req.session.views = 1; body += '<p>First time visiting? view this page in several browsers :)</p>'; }
      res.send(body + '<p>viewed <strong>' + req.session.views + '</strong> times.</p>');
    });`,

  "static-files": `
    var express = require('express');
    var path = require('path');
    var app = express();
    app.use(express.static(path.join(__dirname, 'public')));
    app.use('/static', express.static(path.join(__dirname, 'public')));
    app.use(express.static(path.join(__dirname, 'public', 'css')));`,

  vhost: `
    var express = require('express');
    var vhost = require('vhost');
    var main = express();
    main.get('/', function (req, res) { res.send('Hello from main app!'); });
    main.get('/:sub', function (req, res) { res.send('requested ' + req.params.sub); });
    var redirect = express();
    redirect.use(function (req, res) {
      if (!module.parent) console.log(req.vhost);
      res.redirect('http://example.com:3000/' + req.vhost[0]);
    });
    var app = module.exports = express();
    app.use(vhost('*.example.com', redirect));`,

  "view-locals": `
    var express = require('express');
    var User = require('./user');
    var app = express();
    function count2(req, res, next) { User.count(function (err, count) { if (err) return next(err); req.count = count; next(); }) }
    app.get('/', function (req, res, next) {
      User.all(function (err, users) { if (err) return next(err); res.render('index', { title: 'Users', count: req.count, users: users }); })
    });
    app.get('/middleware', count2, function (req, res) { res.render('index', { count: req.count }); });`,

  "web-service": `
    var express = require('express');
    var app = module.exports = express();
    function error(status, msg) { var err = new Error(msg); err.status = status; return err; }
    app.use('/api', function (req, res, next) {
      var key = req.query['api-key'];
      if (!key) return next(error(400, 'api key required'));
      if (apiKeys.indexOf(key) === -1) return next(error(401, 'invalid api key'))
      req.key = key;
      next();
    });
    var apiKeys = ['foo', 'bar', 'baz'];
    var repos = [{ name: 'express', url: 'https://github.com/expressjs/express' }];
    var users = [{ name: 'tobi' }];
    var userRepos = { tobi: [repos[0]] };
    app.get('/api/users', function (req, res) { res.send(users); });
    app.get('/api/user/:name/repos', function (req, res, next) {
      var name = req.params.name;
      var user = userRepos[name];
      if (user) res.send(user);
      else next();
    });
    app.use(function (err, req, res, next) { res.status(err.status || 500); res.send({ error: err.message }); });
    app.use(function (req, res) { res.status(404); res.send({ error: "Sorry, can't find that" }) });`,
};
