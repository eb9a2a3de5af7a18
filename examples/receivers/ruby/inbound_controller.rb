require "openssl"

# Takes mail from an mxhook sink with `format: raw` and hands it to Action Mailbox, so
# that what the app has for mail goes on as it is: app/controllers/inbound_controller.rb,
# and `post "/inbound", to: "inbound#create"` in config/routes.rb. It needs a table that
# remembers event ids, see app.rb.
#
# (Without a signature and without a table there is `format: action-mailbox`, which is
# Rails' own relay ingress and needs no controller at all.)
class InboundController < ActionController::API
  TOLERANCE = 5.minutes # that a request may be old, and clocks may differ

  before_action :verify

  # 2xx is a promise: the message is in the database and its file is stored.
  def create
    inbound_email = ActionMailbox::InboundEmail.transaction do
      ReceivedEvent.create!(id: request.headers["webhook-id"])
      ActionMailbox::InboundEmail.create_and_extract_message_id!(request.raw_post)
    end
    logger.info "#{request.headers["webhook-id"]} is inbound email #{inbound_email&.id || "known"}"
    render plain: "kept"
  rescue ActiveRecord::RecordNotUnique
    render plain: "known" # a repeat: mxhook had not heard the yes
  end

  private

  def verify
    head :unauthorized unless recent? && signed? # the mail waits, and mxhook says why
  end

  def recent?
    timestamp = request.headers["webhook-timestamp"].to_s
    timestamp.match?(/\A\d{1,12}\z/) && (Time.now.to_i - timestamp.to_i).abs <= TOLERANCE
  end

  # Standard Webhooks 1.0.0. The header may hold several signatures, of a secret that is
  # changed.
  def signed?
    secret = ENV.fetch("MXHOOK_SECRET").delete_prefix("whsec_").unpack1("m")
    signed = "#{request.headers["webhook-id"]}.#{request.headers["webhook-timestamp"]}.".b + request.raw_post.b
    want = "v1,#{[OpenSSL::HMAC.digest("SHA256", secret, signed)].pack("m0")}"
    request.headers["webhook-signature"].to_s.split.any? do |signature|
      ActiveSupport::SecurityUtils.secure_compare(signature, want)
    end
  end
end
