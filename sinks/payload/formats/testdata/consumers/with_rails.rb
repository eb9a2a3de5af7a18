# Receives with Rails' Action Mailbox: the smallest app that has one, with its database and
# files in the folder given. It prints its port, then a line of JSON for each mail that
# came to a mailbox: what the app would have read.
require "digest"
require "json"
require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "active_job/railtie"
require "active_storage/engine"
require "action_mailbox/engine"
require "rack/handler/webrick"

$stdout.sync = true
folder = ARGV.fetch(0)
ENV["DATABASE_URL"] = "sqlite3:#{folder}/app.sqlite3"
ENV["RAILS_INBOUND_EMAIL_PASSWORD"] = "ingress-password"
ENV["MAILGUN_INGRESS_SIGNING_KEY"] = "signing-key"
ENV["MANDRILL_INGRESS_API_KEY"] = "mandrill-key"

class App < Rails::Application
  config.load_defaults 6.1
  config.root = ARGV.fetch(0)
  config.eager_load = false
  config.secret_key_base = "x" * 64
  config.logger = Logger.new($stderr, level: Logger::ERROR)
  config.log_level = :error
  config.hosts.clear
  config.active_job.queue_adapter = :inline
  config.action_mailbox.incinerate = false
  config.active_storage.service = :disk
  config.active_storage.service_configurations = { disk: { service: "Disk", root: "#{config.root}/storage" } }
end
App.initialize!

engines = %w[activestorage actionmailbox].map { |name| "#{Gem.loaded_specs[name]&.full_gem_path || $LOAD_PATH.map { |p| p[%r{.*/#{name}-[\d.]+(?=/)}] }.compact.first}/db/migrate" }
ActiveRecord::Migration.suppress_messages do
  ActiveRecord::MigrationContext.new(engines, ActiveRecord::SchemaMigration).migrate
end

class ApplicationMailbox < ActionMailbox::Base
  routing all: :reader
end

class ReaderMailbox < ApplicationMailbox
  def mailboxes(field)
    return [] unless field.respond_to?(:addrs)
    field.addrs.map { |a| { name: a.display_name.to_s.dup.force_encoding("UTF-8").scrub, address: a.address } }
  end

  def content(part)
    part.body.decoded.dup.force_encoding(Encoding::BINARY)
  end

  def process
    text = mail.multipart? ? mail.text_part : (mail.mime_type == "text/html" ? nil : mail)
    html = mail.multipart? ? mail.html_part : (mail.mime_type == "text/html" ? mail : nil)
    original = mail.header["X-Original-To"]
    puts JSON.generate(
      consumer: "Rails #{ActionMailbox.ingress}", subject: mail.subject&.dup&.force_encoding("UTF-8")&.scrub, from: mailboxes(mail[:from]), to: mailboxes(mail[:to]),
      text: text&.decoded&.scrub, html: html&.decoded&.scrub, message_id: "<#{mail.message_id}>",
      envelope_to: Array(original).map(&:to_s).join(" "), sha256: Digest::SHA256.hexdigest(inbound_email.source),
      files: mail.attachments.map { |a|
        { filename: a.filename.to_s.scrub, content_type: a.mime_type, content_id: a.content_id.to_s.delete("<>"),
          sha256: Digest::SHA256.hexdigest(content(a)), size: content(a).bytesize }
      })
  end
end

# One process serves every ingress: Rails has one at a time, and the path says which.
ingress = lambda do |env|
  ActionMailbox.ingress = env["PATH_INFO"][%r{\A/rails/action_mailbox/(\w+)/}, 1].to_s.to_sym
  App.call(env)
end

server = WEBrick::HTTPServer.new(BindAddress: "127.0.0.1", Port: 0, Logger: WEBrick::Log.new(File::NULL), AccessLog: [])
server.mount("/", Rack::Handler::WEBrick, ingress)
puts server.config[:Port]
server.start
