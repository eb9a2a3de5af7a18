# A Rails app in one file that has the controller and the mailbox beside it, to try them:
#
#     MXHOOK_SECRET=whsec_… ruby app.rb
#
# Of an app of your own it is the part about routes, migrations and routing that counts.
require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "active_job/railtie"
require "active_storage/engine"
require "action_mailbox/engine"
require "rack/handler/webrick"

$stdout.sync = true
FOLDER = File.expand_path(ENV.fetch("FOLDER", "inbox"))
FileUtils.mkdir_p(FOLDER)
ENV["DATABASE_URL"] = "sqlite3:#{FOLDER}/app.sqlite3"
ENV.fetch("MXHOOK_SECRET") # better now than at the first mail

class App < Rails::Application
  config.load_defaults 6.1
  config.root = FOLDER
  config.eager_load = false
  config.secret_key_base = SecureRandom.hex(64)
  config.logger = Logger.new($stdout, formatter: ->(_, _, _, text) { "#{text}\n" })
  config.log_level = :info
  config.hosts.clear
  config.active_job.queue_adapter = :inline # an app of your own has a queue
  config.active_storage.service = :disk
  config.active_storage.service_configurations = { disk: { service: "Disk", root: "#{FOLDER}/storage" } }
end

require_relative "inbound_controller"
App.initialize!
App.routes.draw { post "/inbound", to: "inbound#create" }

# bin/rails action_mailbox:install active_storage:install, and bin/rails db:migrate.
engines = %w[activestorage actionmailbox].map do |name|
  $LOAD_PATH.filter_map { |path| path[%r{\A.*/#{name}-[\d.]+(?=/)}] }.first + "/db/migrate"
end
ActiveRecord::Migration.suppress_messages do
  ActiveRecord::MigrationContext.new(engines, ActiveRecord::SchemaMigration).migrate
  # The table that remembers event ids: bin/rails generate model ReceivedEvent id:string.
  unless ActiveRecord::Base.connection.table_exists?(:received_events)
    ActiveRecord::Schema.define { create_table(:received_events, id: :string) { |t| t.datetime :created_at } }
  end
end

class ReceivedEvent < ActiveRecord::Base; end

require_relative "support_mailbox"

class ApplicationMailbox < ActionMailbox::Base
  routing all: :support
end

server = WEBrick::HTTPServer.new(BindAddress: ENV.fetch("HOST", "127.0.0.1"), Port: ENV.fetch("PORT", "3000").to_i,
  Logger: WEBrick::Log.new(File::NULL), AccessLog: [])
server.mount("/", Rack::Handler::WEBrick, App)
puts "listening on http://#{server.config[:BindAddress]}:#{server.config[:Port]}/inbound"
trap("TERM") { server.shutdown }
server.start
